# frozen_string_literal: true

require 'net/http'
require_relative '../app'

abort "a fathom is #{Fathom.to_metres(1)} m" unless (Fathom.to_metres(1) - 1.8288).abs < 1e-9

server = depths(BindAddress: '127.0.0.1', Port: 0, AccessLog: [], Logger: WEBrick::BasicLog.new(nil, 0))
Thread.new { server.start }
answer = Net::HTTP.get(URI("http://127.0.0.1:#{server.config[:Port]}/"))
server.shutdown
abort "the answer is #{answer.inspect}" unless answer == "Ten fathoms are 18.288 m\n"
