"""The benchmarks: a module each, whose one public function is `measure`."""
