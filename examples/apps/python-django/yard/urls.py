from django.urls import path

from yard import views

urlpatterns = [
    path("", views.index),
    path("hulls", views.hulls),
]
