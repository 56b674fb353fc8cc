# frozen_string_literal: true

require 'fathom'
require 'webrick'

# A web server that converts fathoms.
def depths(options)
  server = WEBrick::HTTPServer.new(options)
  server.mount_proc('/') { |_request, response| response.body = "Ten fathoms are #{Fathom.to_metres(10)} m\n" }
  server
end

depths(Port: ENV.fetch('PORT')).start if $PROGRAM_NAME == __FILE__
