# frozen_string_literal: true

class BerthsController
  def index
    "Berth 7 is free, in #{Rails.env}\n"
  end

  def secret
    "The secret has #{Rails.application.secret_key_base.length} digits\n"
  end
end
