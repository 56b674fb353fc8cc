# frozen_string_literal: true

require 'bundler/setup'
Bundler.require

module Berths
  class Application < Rails::Application
  end
end
