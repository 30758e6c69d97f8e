namespace Espalier.Reporting;

/// <summary>A point of a chart, in the units of its values.</summary>
/// <param name="X">Along the horizontal axis.</param>
/// <param name="Y">Along the vertical axis.</param>
internal readonly record struct ChartPoint(double X, double Y);

/// <summary>Something that happened on a line, such as growth: a thin tick across it with a short text.</summary>
/// <param name="X">Where.</param>
/// <param name="Text">What, in a few characters.</param>
internal readonly record struct ChartEvent(double X, string Text);

/// <summary>How far a value of a line is known.</summary>
/// <param name="X">Along the horizontal axis.</param>
/// <param name="Low">The least that it may be.</param>
/// <param name="High">The most.</param>
internal readonly record struct ChartRange(double X, double Low, double High);

/// <summary>One line of a chart.</summary>
internal sealed record ChartSeries
{
    /// <summary>The line's label.</summary>
    public required string Name { get; init; }

    /// <summary>Which colour of the palette; 0 is the neutral one.</summary>
    public required int Color { get; init; }

    /// <summary>By growing X.</summary>
    public required IReadOnlyList<ChartPoint> Points { get; init; }

    /// <summary>What was measured before smoothing, drawn faintly behind the line.</summary>
    public IReadOnlyList<ChartPoint> Raw { get; init; } = [];

    /// <summary>Events on the line.</summary>
    public IReadOnlyList<ChartEvent> Events { get; init; } = [];

    /// <summary>A dot with a text, such as where the run reaches the target.</summary>
    public ChartPoint? Marker { get; init; }

    /// <summary>The text of the dot.</summary>
    public string MarkerText { get; init; } = "";

    /// <summary>Whether every point gets a small dot.</summary>
    public bool Dots { get; init; }

    /// <summary>Whether the line keeps its value until the next point, as a count does.</summary>
    public bool Steps { get; init; }

    /// <summary>Whether the line is dashed.</summary>
    public bool Dashed { get; init; }

    /// <summary>How often the colour has come before, which shapes dots and breaks the line; null: as the colour's number says.</summary>
    public int? Round { get; init; }

    /// <summary>Whether the line is a thick one.</summary>
    public bool Strong { get; init; }

    /// <summary>By growing X: what is shaded around the line.</summary>
    public IReadOnlyList<ChartRange> Band { get; init; } = [];

    /// <summary>The classes that colour it.</summary>
    /// <param name="kind">s for a line, f for what is filled.</param>
    public string Classes(char kind) => ChartPalette.ClassesOf(kind, Color, Round);
}
