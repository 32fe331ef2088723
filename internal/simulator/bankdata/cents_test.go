package bankdata

import "testing"

func TestCentsAreNotPadded(t *testing.T) {
	t.Parallel()
	for cents, want := range map[Cents]string{
		0: "0.0", 5: "0.05", 10: "0.1", 100: "1.0", 411130: "4111.3", 1697851: "16978.51",
		-13589: "-135.89", -7: "-0.07", -50: "-0.5", -99999999999999: "-999999999999.99",
	} {
		if got := cents.String(); got != want {
			t.Errorf("%d cents: got %q, want %q", int64(cents), got, want)
		}
	}
}
