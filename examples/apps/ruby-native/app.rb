# frozen_string_literal: true

require 'fathom'
require 'webrick'

server = WEBrick::HTTPServer.new(Port: ENV.fetch('PORT'))
server.mount_proc('/') { |_request, response| response.body = "Ten fathoms are #{Fathom.to_metres(10)} m\n" }
server.start
