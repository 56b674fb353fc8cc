# frozen_string_literal: true

require 'socket'
require_relative 'tides'

# A minimal web server that uses only the standard library.
server = TCPServer.new('0.0.0.0', Integer(ENV.fetch('PORT', '8080')))
loop do
  client = server.accept
  client.gets
  body = "#{Tides.today}\n"
  client.write "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: #{body.bytesize}\r\nConnection: close\r\n\r\n#{body}"
rescue Errno::EPIPE, Errno::ECONNRESET
  # The client has disconnected. Serve the next one.
ensure
  client&.close
end
