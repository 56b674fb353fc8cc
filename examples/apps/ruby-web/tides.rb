# frozen_string_literal: true

# When the water is high.
module Tides
  def self.today
    "High water at 06:12, says Ruby #{RUBY_VERSION}"
  end
end
