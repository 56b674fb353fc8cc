# frozen_string_literal: true

require 'rack'

application, = Rack::Builder.parse_file('config.ru')
response = Rack::MockRequest.new(application).get('/')
abort "the answer is #{response.status}: #{response.body}" unless response.ok? && response.body.include?('buoy 3')
