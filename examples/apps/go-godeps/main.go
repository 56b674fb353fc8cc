package main

import (
	"fmt"
	"log"
	"net/http"
	"os"

	"example.org/wick"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "The wick is %s\n", wick.Trim())
	})
	log.Fatal(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}
