package origin

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/receipt"
)

// receiveReceipt answers POST /receipts/LIST.
func (o *Origin) receiveReceipt(w http.ResponseWriter, r *http.Request) {
	list := r.PathValue("list")
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(stall))
	_ = control.SetWriteDeadline(time.Now().Add(2 * stall))
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, receipt.MaxReceipt))
	if err == nil {
		err = blocklist.CheckListName(list)
	}
	if err == nil {
		err = o.AcceptReceipt(r.Context(), list, b)
	}
	if err != nil {
		o.o.Log.WarnContext(r.Context(), "refusing a receipt", slog.String("list", list), slogErr(err))
		refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusCreated)
}

// serveReceipts answers GET /receipts/LIST to clients with the list's token.
func (o *Origin) serveReceipts(w http.ResponseWriter, r *http.Request) {
	list := r.PathValue("list")
	w.Header().Set("Cache-Control", "no-store")
	if blocklist.CheckListName(list) != nil || !o.mayRead(list, r.Header.Get("Authorization")) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "receipts are for those who have the token that lies in the origin's folder", http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if err := o.WriteReceipts(list, deadlineWriter{w, http.NewResponseController(w)}); err != nil {
		o.o.Log.ErrorContext(r.Context(), "serving receipts", slog.String("list", list), slogErr(err))
		panic(http.ErrAbortHandler) // the response is incomplete
	}
}

// mayRead reports whether an Authorization header carries the list's token.
func (o *Origin) mayRead(list, authorization string) bool {
	given, ok := strings.CutPrefix(authorization, "Bearer ")
	token, err := os.ReadFile(o.TokenPath(list))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		o.o.Log.Error("reading the token for receipts", slog.String("list", list), slogErr(err))
	}
	want := strings.TrimSpace(string(token))
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && ok && want != ""
}

// deadlineWriter sets a new deadline for each write.
type deadlineWriter struct {
	w       io.Writer
	control *http.ResponseController
}

func (p deadlineWriter) Write(b []byte) (int, error) {
	_ = p.control.SetWriteDeadline(time.Now().Add(stall))
	return p.w.Write(b)
}
