from tidepool import Tidepool

app = Tidepool()


@app.route("/crabs")
def crabs():
    return "Seven crabs in the pool\n"
