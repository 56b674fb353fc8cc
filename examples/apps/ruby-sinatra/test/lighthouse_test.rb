# frozen_string_literal: true

require_relative '../app'

answer = Sinatra::ROUTES.fetch(['GET', '/']).call
abort "/ answers #{answer}" unless answer == 'The lighthouse is lit'
