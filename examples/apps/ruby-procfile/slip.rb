# frozen_string_literal: true

require 'webrick'

# A web server that says whether the slip is free.
def slip(options)
  server = WEBrick::HTTPServer.new(options)
  server.mount_proc('/') { |_request, response| response.body = "The slip is free, in #{ENV.fetch('RACK_ENV')}\n" }
  server
end

slip(Port: ARGV.fetch(0)).start if $PROGRAM_NAME == __FILE__
