# frozen_string_literal: true

require 'buoy'

run ->(_env) { [200, { 'Content-Type' => 'text/plain' }, ["The #{Buoy.name(3)} is lit\n"]] }
