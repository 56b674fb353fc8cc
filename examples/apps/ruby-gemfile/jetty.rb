# frozen_string_literal: true

require 'webrick'

# A web server that says whether the jetty is open.
def jetty(options)
  server = WEBrick::HTTPServer.new(options)
  server.mount_proc('/') { |_request, response| response.body = "The jetty is open\n" }
  server
end

jetty(Port: ENV.fetch('PORT')).start if $PROGRAM_NAME == __FILE__
