package examples_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/testdata/peers"
)

// monitoring returns the text of a file of monitoring/.
func monitoring(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("monitoring", name))
	require.NoError(t, err)
	return string(text)
}

var metric = regexp.MustCompile(`dnsfilter_[a-z_]+`)

// metrics returns the metrics of the handbook, which a test of dnsfilter/service compares with the source.
func metrics(t *testing.T) map[string]bool {
	t.Helper()
	_, text, found := strings.Cut(monitoring(t, "../../cmd/dnsfilter/README.md"), "\n## Metrics\n")
	require.True(t, found)
	text, _, _ = strings.Cut(text, "\n## ")
	known := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|").FindAllString(text, -1) {
		for _, name := range metric.FindAllString(row, -1) {
			known[name] = true
		}
	}
	require.NotEmpty(t, known)
	return known
}

func TestEveryMetricExists(t *testing.T) {
	t.Parallel()
	known := metrics(t)
	histogram := regexp.MustCompile(`_(bucket|sum|count)$`)
	for _, file := range []string{"alerts.yaml", "alerts_test.yaml", "dashboard.json", "README.md"} {
		names := metric.FindAllString(monitoring(t, file), -1)
		require.NotEmpty(t, names, file)
		for _, name := range names {
			assert.True(t, known[name] || known[histogram.ReplaceAllString(name, "")], "%s: there is no metric %s", file, name)
		}
	}
}

func TestEveryAlertHasARunbookAndATest(t *testing.T) {
	t.Parallel()
	alerts := regexp.MustCompile(`(?m)^ +- alert: (\S+)$`).FindAllStringSubmatch(monitoring(t, "alerts.yaml"), -1)
	require.NotEmpty(t, alerts)
	runbook, tests := monitoring(t, "README.md"), monitoring(t, "alerts_test.yaml")
	for _, a := range alerts {
		assert.Regexp(t, `(?m)^### `+a[1]+`\n\n\S`, runbook)
		assert.Contains(t, monitoring(t, "alerts.yaml"), "runbook: 'README.md#"+strings.ToLower(a[1])+"'")
		assert.Regexp(t, `alertname: `+a[1]+`\n +exp_alerts:\n`, tests, "it fires")
		assert.Contains(t, tests, "alertname: "+a[1]+", exp_alerts: []", "it does not fire where all is well")
	}
}

func promtool(t *testing.T, args ...string) {
	t.Helper()
	peers.Need(t, "promtool")
	out, err := exec.CommandContext(t.Context(), "promtool", args...).CombinedOutput()
	assert.NoError(t, err, "%s", out)
}

func TestAlerts(t *testing.T) {
	t.Parallel()
	promtool(t, "check", "rules", "monitoring/alerts.yaml")
	promtool(t, "test", "rules", "monitoring/alerts_test.yaml")
}

// dashboard is what the test needs to know of Grafana's format.
type dashboard struct {
	Title         string
	UID           string
	SchemaVersion int
	Panels        []struct {
		ID      int
		Title   string
		Type    string
		GridPos struct{ X, Y, W, H int }
		Targets []struct{ RefID, Expr string }
	}
	Templating struct{ List []struct{ Name, Type string } }
}

// TestDashboard has promtool read the expressions of all panels, with values in place of the variables.
func TestDashboard(t *testing.T) {
	t.Parallel()
	var d dashboard
	require.NoError(t, json.Unmarshal([]byte(monitoring(t, "dashboard.json")), &d))
	assert.Equal(t, []any{"dnsfilter", "dnsfilter", 39}, []any{d.Title, d.UID, d.SchemaVersion})
	var names []string
	for _, v := range d.Templating.List {
		names = append(names, v.Name)
	}
	assert.Equal(t, []string{"datasource", "instance"}, names)
	values := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*")
	var rules strings.Builder
	rules.WriteString("groups:\n  - name: panels\n    rules:\n")
	taken, ids := map[[2]int]string{}, map[int]bool{}
	for _, p := range d.Panels {
		assert.False(t, ids[p.ID], "%s: an ID of its own", p.Title)
		ids[p.ID] = true
		assert.Contains(t, []string{"timeseries", "table"}, p.Type)
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				assert.Empty(t, taken[[2]int{x, y}], "%s: a place of its own", p.Title)
				taken[[2]int{x, y}] = p.Title
			}
		}
		assert.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24)
		require.NotEmpty(t, p.Targets, p.Title)
		for _, target := range p.Targets {
			assert.NotContains(t, values.Replace(target.Expr), "$")
			fmt.Fprintf(&rules, "      - {record: panel:%d, expr: %q, labels: {target: %s}}\n", p.ID, values.Replace(target.Expr), target.RefID)
		}
	}
	path := filepath.Join(t.TempDir(), "panels.yaml")
	require.NoError(t, os.WriteFile(path, []byte(rules.String()), 0o600))
	promtool(t, "check", "rules", path)
}
