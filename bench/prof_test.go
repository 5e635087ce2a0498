package main

import (
	"context"
	"testing"
)

func BenchmarkDrops(b *testing.B) {
	for b.Loop() {
		v, err := dropsPerSecond(context.Background(), b.TempDir(), sizesFor(false))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(v, "drops/s")
	}
}
