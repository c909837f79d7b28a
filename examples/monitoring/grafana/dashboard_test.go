// Package grafana_test checks the dashboard against the schema that Grafana publishes as Go types.
package grafana_test

import (
	"os"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// validate reads a dashboard. Unknown fields, missing ones, and values out of range are errors.
func validate(text string) error {
	var d dashboard.Dashboard
	err := d.UnmarshalJSONStrict([]byte(text))
	if err != nil && err.Error() != "" { // where there are no mistakes, it is an empty list of them
		return err
	}
	return d.Validate()
}

func TestDashboard(t *testing.T) {
	t.Parallel()
	schemas := cog.NewRuntime()
	schemas.RegisterPanelcfgVariant(timeseries.VariantConfig())
	schemas.RegisterPanelcfgVariant(table.VariantConfig())
	schemas.RegisterDataqueryVariant(prometheus.VariantConfig())
	text, err := os.ReadFile("../dashboard.json")
	require.NoError(t, err)
	require.NoError(t, validate(string(text)))
	for _, field := range []string{"gridPos", "targets", "expr", "fieldConfig", "legend", "showHeader", "refresh"} {
		name := `"` + field + `":`
		require.Contains(t, string(text), name)
		assert.Error(t, validate(strings.Replace(string(text), name, `"mis`+field+`":`, 1)), field)
	}
}
