# frozen_string_literal: true

require 'fathom'

abort "a fathom is #{Fathom.to_metres(1)} m" unless (Fathom.to_metres(1) - 1.8288).abs < 1e-9
