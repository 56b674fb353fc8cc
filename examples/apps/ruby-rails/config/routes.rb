# frozen_string_literal: true

Rails.application.routes.draw do
  root 'berths#index'
  get '/secret', to: 'berths#secret'
end
