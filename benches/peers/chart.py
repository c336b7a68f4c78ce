"""The table and the chart of a comparison."""

PLAIN = ("scikit-learn lloyd", "scikit-learn-intelex", "faiss")
COLOURS = {"superstep": "#d9480f", "superstep lloyd": "#f4a261", "scikit-learn lloyd": "#4c6ef5",
           "scikit-learn elkan": "#91a7ff", "scikit-learn-intelex": "#1098ad", "faiss": "#2b8a3e", "superkmeans": "#868e96"}


def seconds(workload):
    return {program["program"]: program["s_per_iteration"] for program in workload["programs"]}


def best(times, names):
    return min((times[name], name) for name in names if name in times)


def table(report):
    lines = [f"Seconds an iteration on {report['machine']}; float32, the same first centroids, all cores, the programs in turn.", ""]
    workloads = report.get("workloads", {})
    programs = [name for name in COLOURS if any(name in seconds(w) for w in workloads.values())]
    if workloads:
        lines += ["| workload (n × d, k) | " + " | ".join(programs) + " | lloyd: best plain peer ÷ superstep | to the end: best peer ÷ superstep |",
                  "| --- |" + " --- |" * (len(programs) + 2)]
    for name, workload in sorted(workloads.items()):
        times = seconds(workload)
        cells = [f"{times[p]:.4f}" if p in times else "–" for p in programs]
        peers = [p for p in times if not p.startswith("superstep")]
        dense, end = "–", "–"
        if any(p in times for p in PLAIN):
            time, who = best(times, PLAIN)
            dense = f"{time / times['superstep lloyd']:.2f} ({who})"
        if peers and "superstep" in times:
            time, who = best(times, peers)
            end = f"{time / times['superstep']:.2f} ({who})"
        lines.append(f"| {name} {workload['n']:,} × {workload['d']}, {workload['k']} | " + " | ".join(cells) + f" | {dense} | {end} |")
    if workloads:
        runs = sorted({program["runs"] for w in workloads.values() for program in w["programs"]})
        lines += ["", f"Medians of {' or '.join(map(str, runs))} runs. A dash: not measured. superkmeans draws its own first centroids and skips by probability."]
    if "starts" in report:
        lines += ["", "| start | k | runs | scikit-learn, s | superstep k-means++, s | ratio | superstep k-means\\|\\|, s |", "| --- |" + " --- |" * 6]
        for row in report["starts"]["init"]:
            lines.append(f"| {row['data']} | {row['k']} | {row['runs']} | {row['scikit-learn']:.2f} | {row['superstep']:.2f} | "
                         f"{row['scikit-learn'] / row['superstep']:.1f} | {row['superstep k-means||']:.2f} |")
        lines += ["", "| whole fit, defaults | k | scikit-learn, s (iterations) | superstep, s (iterations) | ratio | inertia, superstep ÷ scikit-learn |",
                  "| --- |" + " --- |" * 5]
        for row in report["starts"]["fit"]:
            theirs, ours = row["inertia"]
            lines.append(f"| {row['data']} | {row['k']} | {row['scikit-learn']:.2f} ({row['iterations'][0]}) | {row['superstep']:.2f} "
                         f"({row['iterations'][1]}) | {row['scikit-learn'] / row['superstep']:.1f} | {ours / theirs:.4f} |")
    if "scaling" in report:
        lines += ["", "| lloyd against | " + "seconds an iteration | slope, log to log |", "| --- | --- | --- |"]
        for axis, line in report["scaling"].items():
            points = ", ".join(f"{value:,}: {time:.4f}" for value, time in line["points"])
            lines.append(f"| {axis} | {points} | {line['slope']:.2f} |")
    return "\n".join(lines) + "\n"


def svg(report):
    """Bars of speed, one group a workload: iterations a second, the best peer of the group being 1."""
    groups = []
    for name, workload in sorted(report.get("workloads", {}).items()):
        times = seconds(workload)
        peers = [p for p in times if not p.startswith("superstep")]
        if peers:
            groups.append((name, workload, times, best(times, peers)[0]))
    names = [name for name in COLOURS if any(name in times for _, _, times, _ in groups)]
    bar, gap, left, top, height = 15, 26, 52, 82, 220
    width = left + sum(len(times) * bar + gap for _, _, times, _ in groups) + 12
    width = max(width, 700)
    most = max((one / time for _, _, times, one in groups for time in times.values()), default=1)
    scale = height / most
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top + height + 76}" font-family="system-ui, sans-serif" font-size="11">',
           f'<rect width="{width}" height="{top + height + 76}" fill="#fff"/>',
           f'<text x="12" y="18" font-size="14" font-weight="600">k-means to the end: speed, the best peer = 1</text>',
           f'<text x="12" y="34" fill="#555">{report["machine"]}; iterations a second, same first centroids; higher is faster</text>']
    x = 12
    for name in names:
        out.append(f'<rect x="{x}" y="43" width="10" height="10" fill="{COLOURS[name]}"/><text x="{x + 14}" y="52">{name}</text>')
        x += 24 + 6.1 * len(name)
    step = 1 if most < 8 else 2
    for tick in range(0, int(most) + 1, step):
        y = top + height - tick * scale
        out.append(f'<line x1="{left - 6}" x2="{width - 8}" y1="{y:.1f}" y2="{y:.1f}" stroke="{"#888" if tick == 1 else "#e4e4e4"}"/>'
                   f'<text x="{left - 12}" y="{y + 4:.1f}" text-anchor="end" fill="#555">{tick}×</text>')
    x = left
    for name, workload, times, one in groups:
        begin = x
        for program in (p for p in names if p in times):
            speed = one / times[program]
            out.append(f'<rect x="{x}" y="{top + height - speed * scale:.1f}" width="{bar - 3}" height="{speed * scale:.1f}" '
                       f'fill="{COLOURS[program]}"><title>{program}: {times[program]:.4f} s</title></rect>')
            if program == "superstep":
                out.append(f'<text x="{x + bar / 2 - 1.5}" y="{top + height - speed * scale - 4:.1f}" text-anchor="middle" font-weight="600">{speed:.1f}×</text>')
            x += bar
        middle = (begin + x) / 2
        for line, text in enumerate((name, f"{workload['n']:,}", f"× {workload['d']}", f"k {workload['k']}")):
            weight = ' font-weight="600"' if line == 0 else ' fill="#555"'
            out.append(f'<text x="{middle:.0f}" y="{top + height + 16 + 14 * line}" text-anchor="middle"{weight}>{text}</text>')
        x += gap
    return "\n".join(out + ["</svg>"]) + "\n"
