package service

import (
	"encoding/json"
	"net/http"
	"time"
)

// maxControlRequest is the maximum size of a request over the control socket in bytes, except for a bundle. Only the
// user of the service can connect to the socket.
const (
	maxControlRequest = 4 << 10
	controlGrace      = 500 * time.Millisecond // time limit for running requests after the service has begun to end
	// controlTimeout is the time limit of one request. Accepting a release of ten million entries takes minutes.
	controlTimeout = 10 * time.Minute
)

// holdDecision is the body of a request to accept or reject a hold.
type holdDecision struct {
	List string `json:"list"`
	ID   string `json:"id"`
}

// controlError is the body of the response to a request that failed.
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
