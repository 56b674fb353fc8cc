# frozen_string_literal: true

require 'socket'
require_relative 'tides'

# The smallest web server that Ruby's own library can be made into.
server = TCPServer.new('0.0.0.0', Integer(ENV.fetch('PORT', '8080')))
loop do
  client = server.accept
  client.gets
  body = "#{Tides.today}\n"
  client.write "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: #{body.bytesize}\r\nConnection: close\r\n\r\n#{body}"
rescue Errno::EPIPE, Errno::ECONNRESET
  # The client has gone: the next one is served all the same.
ensure
  client&.close
end
