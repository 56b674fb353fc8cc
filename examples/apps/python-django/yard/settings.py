DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "yard.urls"
WSGI_APPLICATION = "yard.wsgi.application"
