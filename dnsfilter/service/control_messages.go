package service

import (
	"encoding/json"
	"net/http"
	"time"
)

// Limits on what is said over the control socket, which only the service's own user can open.
const (
	maxControlRequest = 4 << 10
	controlGrace      = 500 * time.Millisecond // for what is being done when the service ends
	controlTimeout    = 10 * time.Minute       // to accept a release of ten million entries takes a while
)

// holdDecision is what is to be decided, as the client says it.
type holdDecision struct {
	List string `json:"list"`
	ID   string `json:"id"`
}

// controlError is an answer that says what went wrong.
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
