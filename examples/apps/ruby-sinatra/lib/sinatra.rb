# frozen_string_literal: true

require 'webrick'

# The smallest part of Sinatra that an application needs, in place of the gem: routes at the top level, and a server that
# starts when the application has been read. As there, `-p PORT` goes over the variable PORT.
module Sinatra
  ROUTES = {} # rubocop:disable Style/MutableConstant

  def self.port
    flag = ARGV.index('-p')
    Integer(flag ? ARGV.fetch(flag + 1) : ENV.fetch('PORT', '4567'))
  end

  def self.answer(request, response)
    route = ROUTES[[request.request_method, request.path]]
    response.status = route ? 200 : 404
    response.content_type = 'text/plain'
    response.body = "#{route ? route.call : 'Not found'}\n"
  end

  def self.run
    server = WEBrick::HTTPServer.new(Port: port)
    server.mount_proc('/') { |request, response| answer(request, response) }
    %w[INT TERM].each { |signal| trap(signal) { server.shutdown } }
    server.start
  end
end

def get(path, &block)
  Sinatra::ROUTES[['GET', path]] = block
end

at_exit { Sinatra.run if $!.nil? && File.basename($PROGRAM_NAME) == 'app.rb' }
