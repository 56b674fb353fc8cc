// Package wick trims wicks.
package wick

// Trim gives the state of a wick.
func Trim() string { return "trimmed" }
