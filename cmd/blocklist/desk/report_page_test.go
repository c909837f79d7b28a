package desk_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
)

// copyText writes the text of a page to print. It fails unless the policy of the answer allows just its style sheet.
func copyText(w io.Writer, answer *http.Response) (int64, error) {
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(body), "<style>")
	style, _, found := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	policy := answer.Header.Get("Content-Security-Policy")
	if !found || !strings.Contains(policy, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
		return 0, errors.New("the policy does not have the style sheet: " + policy)
	}
	return io.Copy(w, strings.NewReader(string(body)))
}
