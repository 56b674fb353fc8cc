# frozen_string_literal: true

$LOAD_PATH.unshift File.join(__dir__, 'lib')
require 'sinatra'
require 'json'

get '/' do
  'The lighthouse is lit'
end

get '/services' do
  JSON.parse(ENV.fetch('VCAP_SERVICES', '{}')).keys.sort.join(', ')
end
