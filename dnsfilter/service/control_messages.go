package service

import (
	"encoding/json"
	"net/http"
	"time"
)

// Limits of the control socket. Only the service's own user can connect to it.
const (
	maxControlRequest = 4 << 10
	controlGrace      = 500 * time.Millisecond // for running requests when the service ends
	controlTimeout    = 10 * time.Minute       // accepting a release of ten million entries takes a while
)

// holdDecision is a request with a decision about a hold.
type holdDecision struct {
	List string `json:"list"`
	ID   string `json:"id"`
}

// controlError is the response after an error.
type controlError struct {
	Error string `json:"error"`
}

func refuseControl(w http.ResponseWriter, err error) {
	w.WriteHeader(http.StatusConflict)
	writeControl(w, controlError{err.Error()})
}

func writeControl(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
