# frozen_string_literal: true

require 'webrick'

server = WEBrick::HTTPServer.new(Port: ARGV.fetch(0))
server.mount_proc('/') { |_request, response| response.body = "The slip is free, in #{ENV.fetch('RACK_ENV')}\n" }
server.start
