package desk_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish/words"
)

// newChromium starts Chromium without a window, and returns the context of its tabs. The test is skipped where it is not
// installed.
func newChromium(t testing.TB) context.Context {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Skip("chromium is not installed")
	}
	ctx, _ := chromedp.NewContext(context.WithoutCancel(t.Context()), chromedp.WithAllocatorOptions(
		chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
	))
	t.Cleanup(func() { assert.NoError(t, chromedp.Cancel(ctx)) })
	require.NoError(t, chromedp.Do(ctx))
	return ctx
}

// view is how a person looks at the desk.
type view struct {
	width    int64  // of the window, in CSS pixels
	lang     string // en or it
	keyboard bool   // Tab, Enter, Space and typing alone
	noScript bool   // without JavaScript
	dark     bool   // light text on a dark page
}

func (v view) String() string {
	s := fmt.Sprintf("%d-%s", v.width, v.lang)
	if v.keyboard {
		s += "-keyboard"
	}
	if v.noScript {
		s += "-noscript"
	}
	if v.dark {
		s += "-dark"
	}
	return s
}

// window is that of one person, with cookies of its own.
type window struct {
	view
	t     testing.TB
	ctx   context.Context
	base  string
	words *words.Words

	mu      sync.Mutex
	trouble []string // dialogs, violations of the policy, errors of scripts
}

// openWindow opens a window for a person whom a proxy names; empty: no one does.
func openWindow(chromium context.Context, t testing.TB, base, user string, v view) *window {
	t.Helper()
	ctx, _ := chromedp.NewContext(chromium, chromedp.WithNewBrowserContext())
	t.Cleanup(func() { assert.NoError(t, chromedp.Cancel(ctx)) })
	texts, err := words.Read(v.lang)
	require.NoError(t, err)
	w := &window{view: v, t: t, ctx: ctx, base: base, words: texts}
	require.NoError(t, chromedp.Listen(ctx, w.listen))
	headers := network.Headers{"Accept-Language": v.lang}
	if user != "" {
		headers["X-Remote-User"] = user
	}
	w.do(chromedp.EmulateViewport(v.width, 900))
	call(w, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: headers})
	call(w, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: v.noScript})
	if v.dark {
		dark := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}
		call(w, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: dark})
	}
	return w
}

// cookies sets the cookies of the desk.
func (w *window) cookies(all []*http.Cookie) {
	w.t.Helper()
	for _, one := range all {
		call(w, network.SetCookie, network.SetCookieParams{Name: one.Name, Value: one.Value, URL: w.base})
	}
}

// listen notes what must not happen.
func (w *window) listen(event any) {
	var trouble string
	switch e := event.(type) {
	case *cdppage.EventJavascriptDialogOpening:
		trouble = "dialog: " + e.Message
		go func() { // a listener may not wait
			_, _ = chromedp.Call(w.ctx, cdppage.HandleJavaScriptDialog, cdppage.HandleJavaScriptDialogParams{})
		}()
	case *log.EventEntryAdded:
		if e.Entry.Source != log.EntrySourceNetwork && e.Entry.Source != log.EntrySourceRendering { // statuses, and dates that are none
			trouble = "log: " + e.Entry.Text
		}
	case *runtime.EventExceptionThrown:
		trouble = "exception: " + e.ExceptionDetails.Text
	}
	if trouble != "" {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.trouble = append(w.trouble, trouble)
	}
}

// limited returns a context for one step.
func (w *window) limited() (context.Context, context.CancelFunc) {
	return context.WithTimeout(w.ctx, time.Minute)
}

func (w *window) do(steps ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	ctx, cancel := w.limited()
	defer cancel()
	require.NoError(w.t, chromedp.Do(ctx, steps...))
}

// call sends a command of the protocol.
func call[P, R any](w *window, command cdp.Command[P, R], params P) R {
	w.t.Helper()
	ctx, cancel := w.limited()
	defer cancel()
	r, err := chromedp.Call(ctx, command, params)
	require.NoError(w.t, err, "%+v", params)
	return r
}

// evaluate returns the value of an expression.
func evaluate[T any](w *window, expression string) T {
	w.t.Helper()
	ctx, cancel := w.limited()
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	require.NoError(w.t, err, expression)
	return v
}

// word returns a text of the catalogue in the language of the window.
func (w *window) word(key string, args ...any) string {
	w.t.Helper()
	text, _, _ := strings.Cut(w.words.Text(key), "|") // the singular
	require.NotEqual(w.t, key, text)
	if strings.Contains(text, "%") {
		text = fmt.Sprintf(text, args...)
	}
	return text
}

// open loads a page of the desk, which is to be a good one.
func (w *window) open(path string) {
	w.t.Helper()
	w.load(chromedp.Navigate(w.base + path))
}

// load does what leads to another page, and waits for it. The page is to be a good one.
func (w *window) load(step chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	require.Less(w.t, w.visit(step), int64(400), "%s", evaluate[string](w, "location.href+document.body.innerText"))
	w.check()
}

// visit does what leads to another page, waits for it, and returns the status of its answer.
func (w *window) visit(step chromedp.Action[chromedp.Void]) int64 {
	w.t.Helper()
	ctx, cancel := w.limited()
	defer cancel()
	answer, err := chromedp.RunResponse(ctx, step)
	require.NoError(w.t, err)
	return answer.Status
}

// tooWide lists the elements that end behind the window, those in a box that scrolls apart.
const tooWide = `[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1 &&
	!e.closest("nav ul, .wide")).map(e => e.outerHTML.slice(0, 120)).join("\n")`

// check fails if the page is wider than the window, or something has happened that must not.
func (w *window) check() {
	w.t.Helper()
	at := evaluate[string](w, "location.pathname")
	assert.LessOrEqual(w.t, evaluate[int](w, "document.scrollingElement.scrollWidth"), evaluate[int](w, "innerWidth"),
		"%s: %s", at, evaluate[string](w, tooWide))
	w.mu.Lock()
	defer w.mu.Unlock()
	assert.Empty(w.t, w.trouble, at)
}

// text returns what the page shows.
func (w *window) text() string {
	w.t.Helper()
	return evaluate[string](w, "document.body.innerText")
}

// sees fails if the page does not show a text.
func (w *window) sees(text string) {
	w.t.Helper()
	require.Contains(w.t, w.text(), text)
}

// find returns the element that a screen reader calls so.
func (w *window) find(role, name string) cdp.BackendNodeID {
	w.t.Helper()
	found := call(w, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{ObjectID: w.object("document"), AccessibleName: name, Role: role})
	for _, n := range found.Nodes {
		if !n.Ignored {
			return n.BackendDOMNodeID
		}
	}
	require.Fail(w.t, "not on the page", "%s %q:\n%s", role, name, w.text())
	return 0
}

// press activates a link or a button, and waits for the page behind it.
func (w *window) press(role, name string) {
	w.t.Helper()
	w.load(w.pressing(role, name))
}

// pressing activates a link or a button.
func (w *window) pressing(role, name string) chromedp.Action[chromedp.Void] {
	w.t.Helper()
	node := w.find(role, name)
	return chromedp.Func(func(context.Context, *chromedp.Target) error {
		w.activate(node)
		return nil
	})
}

// activate clicks on an element, or presses a key on it.
func (w *window) activate(node cdp.BackendNodeID) {
	w.t.Helper()
	w.focus(node)
	if w.keyboard {
		w.do(chromedp.KeyEvent("\r"))
	}
}

// tick chooses a check box.
func (w *window) tick(name string) {
	w.t.Helper()
	node := w.find("checkbox", name)
	w.focus(node)
	if w.keyboard {
		w.do(chromedp.KeyEvent(" "))
	}
}

// write types a text into a field.
func (w *window) write(name, text string) {
	w.t.Helper()
	w.focus(w.find("textbox", name))
	w.do(chromedp.KeyEvent(text))
}

// focus clicks on an element, or comes to it by Tab alone.
func (w *window) focus(node cdp.BackendNodeID) {
	w.t.Helper()
	if w.keyboard {
		w.tabTo(node)
		return
	}
	call(w, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{BackendNodeID: node})
	quads := call(w, dom.GetContentQuads, dom.GetContentQuadsParams{BackendNodeID: node}).Quads
	require.NotEmpty(w.t, quads)
	q := quads[0]
	w.do(chromedp.MouseClickXY((q[0]+q[4])/2, (q[1]+q[5])/2))
}

// tabTo presses Tab until an element has the focus.
func (w *window) tabTo(node cdp.BackendNodeID) {
	w.t.Helper()
	for range 300 {
		if w.focused() == node {
			return
		}
		w.do(chromedp.KeyEvent("\t"))
	}
	require.Fail(w.t, "Tab does not lead there", "%s", w.text())
}

// focused returns the element with the focus.
func (w *window) focused() cdp.BackendNodeID {
	w.t.Helper()
	return w.node("document.activeElement")
}

// node returns the element that an expression has.
func (w *window) node(expression string) cdp.BackendNodeID {
	w.t.Helper()
	return call(w, dom.DescribeNode, dom.DescribeNodeParams{ObjectID: w.object(expression)}).Node.BackendNodeID
}

// object returns what an expression has.
func (w *window) object(expression string) runtime.RemoteObjectID {
	w.t.Helper()
	return call(w, runtime.Evaluate, runtime.EvaluateParams{Expression: expression}).Result.ObjectID
}

// download presses a button whose answer is a file, and returns its path.
func (w *window) download(button string) string {
	w.t.Helper()
	to := w.t.TempDir()
	ctx, cancel := w.limited()
	defer cancel()
	on := true
	_, err := chromedp.CallBrowser(ctx, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
		Behavior: cdpbrowser.SetDownloadBehaviorBehaviorAllow, DownloadPath: to, EventsEnabled: &on,
		BrowserContextID: chromedp.FromContext(w.ctx).BrowserContextID,
	})
	require.NoError(w.t, err)
	w.activate(w.find("button", button))
	var path string
	require.EventuallyWithT(w.t, func(c *assert.CollectT) {
		files, err := os.ReadDir(to)
		assert.NoError(c, err)
		if assert.Len(c, files, 1) && assert.NotContains(c, files[0].Name(), "crdownload") {
			path = to + "/" + files[0].Name()
		}
	}, time.Minute, 20*time.Millisecond)
	return path
}

// choose opens the chooser of a field for files, and takes some.
func (w *window) choose(selector string, files ...string) {
	w.t.Helper()
	ctx, cancel := w.limited()
	defer cancel()
	call(w, cdppage.SetInterceptFileChooserDialog, cdppage.SetInterceptFileChooserDialogParams{Enabled: true})
	opened := chromedp.Events(ctx, cdppage.FileChooserOpened)
	w.activate(w.node(fmt.Sprintf("document.querySelector(%q)", selector)))
	for e, err := range opened {
		require.NoError(w.t, err)
		call(w, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: files, BackendNodeID: e.BackendNodeID})
		return
	}
	require.Fail(w.t, "the chooser did not open")
}
