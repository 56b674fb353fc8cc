# frozen_string_literal: true

require 'net/http'
require_relative '../jetty'

server = jetty(BindAddress: '127.0.0.1', Port: 0, AccessLog: [], Logger: WEBrick::BasicLog.new(nil, 0))
Thread.new { server.start }
answer = Net::HTTP.get(URI("http://127.0.0.1:#{server.config[:Port]}/"))
server.shutdown
abort "the answer is #{answer.inspect}" unless answer == "The jetty is open\n"
