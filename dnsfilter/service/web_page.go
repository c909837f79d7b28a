package service

import (
	"bytes"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist/subscribe"
)

// webMessage is the result of a request that the operator's page shows.
type webMessage struct {
	Text     string
	Failed   bool
	Findings string // name of the list whose findings are shown; empty: none
}

// webPage is the data of the operator's page. It includes names of entries only after a request with the token.
type webPage struct {
	Status

	Now      time.Time
	Message  webMessage
	Ready    bool
	Problems []string
	Holds    []webHold
	Plots    []webPlot
}

// webHold is a hold, and the name of its list.
type webHold struct {
	*subscribe.Hold

	List string
	Open bool // the page shows the findings
}

// webPlot has the bar charts of the decisions by one list and action, for the last hour and the last day.
type webPlot struct {
	List, Action string
	Hour, Day    bars
}

var webTemplate = template.Must(template.New("page.html").Funcs(template.FuncMap{ //nolint:gochecknoglobals // parsed once
	"ago": ago, "number": number, "time": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") },
	"ms": func(d time.Duration) string {
		return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', 1, 64) + " ms"
	},
}).ParseFS(webFiles, "web/page.html"))

// show writes the operator's page with an HTTP status and a message.
func (w *webServer) show(out http.ResponseWriter, status int, m webMessage) {
	var page bytes.Buffer
	if err := webTemplate.Execute(&page, w.page(m)); err != nil {
		w.service.log.Error("making the operator's page", slog.Any("error", err))
		http.Error(out, "the page could not be made; see the log", http.StatusInternalServerError)
		return
	}
	out.Header().Set("Content-Type", "text/html; charset=utf-8")
	out.WriteHeader(status)
	_, _ = page.WriteTo(out) // the reader may be gone
}

func (w *webServer) page(m webMessage) *webPage {
	p := &webPage{Status: w.service.report(), Now: time.Now(), Message: m}
	var problems string
	problems, p.Ready = w.service.health()
	p.Problems = slices.Collect(strings.Lines(problems))
	for _, l := range p.Lists {
		if l.Hold != nil {
			p.Holds = append(p.Holds, webHold{l.Hold, l.List, m.Findings == l.List})
		}
	}
	for _, kind := range w.history.kinds() {
		p.Plots = append(p.Plots, webPlot{
			kind.List, kind.Action.String(),
			newBars(w.history.sums(kind, 60, 1), "minute"), newBars(w.history.sums(kind, 96, 15), "quarter of an hour"),
		})
	}
	return p
}

// ago returns the time from t to now, rounded, as a text like "5 min ago". If t is in the future, the text is like "in
// 5 min".
func ago(t, now time.Time) string {
	d, form := now.Sub(t), "%s ago"
	if d < 0 {
		d, form = -d, "in %s"
	}
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf(form, strconv.Itoa(int(d/time.Second))+" s")
	case d < 2*time.Hour:
		return fmt.Sprintf(form, strconv.Itoa(int(d/time.Minute))+" min")
	case d < 48*time.Hour:
		return fmt.Sprintf(form, strconv.Itoa(int(d/time.Hour))+" h")
	}
	return fmt.Sprintf(form, strconv.Itoa(int(d/(24*time.Hour)))+" days")
}

// number formats a number with thin spaces between thousands.
func number(n uint64) string {
	digits := strconv.FormatUint(n, 10)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "\u202f" + digits[at:]
	}
	return digits
}
