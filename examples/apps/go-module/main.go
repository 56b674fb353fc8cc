package main

import (
	"fmt"
	"log"
	"net/http"
	"os"

	"example.org/sounding"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Depth %d m\n", sounding.Depth())
	})
	log.Fatal(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}
