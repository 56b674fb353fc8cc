# frozen_string_literal: true

# The time of high water.
module Tides
  def self.today
    "High water at 06:12, says Ruby #{RUBY_VERSION}"
  end
end
