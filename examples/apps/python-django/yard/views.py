from django.http import HttpResponse

HULLS = ["Annie", "Bess"]


def index(request):
    return HttpResponse("The yard is open\n", content_type="text/plain")


def hulls(request):
    return HttpResponse(f"{len(HULLS)} hulls in the yard\n", content_type="text/plain")
