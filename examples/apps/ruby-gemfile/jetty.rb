# frozen_string_literal: true

require 'webrick'

server = WEBrick::HTTPServer.new(Port: ENV.fetch('PORT'))
server.mount_proc('/') { |_request, response| response.body = "The jetty is open\n" }
server.start
