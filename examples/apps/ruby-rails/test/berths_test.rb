# frozen_string_literal: true

require_relative '../config/application'

Rails.application.load
abort 'the root has no berth' unless Rails.application.call('/').start_with?('Berth 7 is free')
abort 'there is an answer to a path without a route' if Rails.application.call('/nowhere')
