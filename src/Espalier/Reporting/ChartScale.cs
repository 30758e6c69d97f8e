using System.Globalization;

namespace Espalier.Reporting;

/// <summary>Maps the values of an axis to pixels, and chooses its ticks.</summary>
internal sealed class ChartScale
{
    private readonly ChartAxis _axis;
    private readonly double _from, _to;

    /// <param name="axis">The axis.</param>
    /// <param name="values">All values it should show; finite.</param>
    /// <param name="from">The pixel of the least value.</param>
    /// <param name="to">The pixel of the largest value.</param>
    /// <param name="tickCount">About how many ticks.</param>
    public ChartScale(ChartAxis axis, IEnumerable<double> values, double from, double to, int tickCount)
    {
        (_axis, _from, _to) = (axis, from, to);
        double[] shown = [.. values.Where(value => !axis.Log || value > 0)];
        Minimum = axis.Minimum ?? shown.DefaultIfEmpty(axis.Log ? 1 : 0).Min();
        Maximum = axis.Maximum ?? shown.DefaultIfEmpty(axis.Log ? 10 : 1).Max();
        if (Maximum <= Minimum)
        {
            double margin = Minimum == 0 ? 1 : Math.Abs(Minimum) * 0.1;
            (Minimum, Maximum) = (axis.Log ? Minimum / 2 : Minimum - margin, axis.Log ? Minimum * 2 : Minimum + margin);
        }

        Ticks = axis.Log ? LogTicks() : LinearTicks(tickCount);
    }

    public double Minimum { get; }

    public double Maximum { get; }

    /// <summary>Round values within the range, with their texts.</summary>
    public IReadOnlyList<(double Value, string Text)> Ticks { get; }

    /// <summary>For the page's script: pixels, values, unit and whether logarithmic.</summary>
    public string Description => string.Join(' ', Svg.Number(_from), Svg.Number(_to), Exact(Minimum), Exact(Maximum),
        Exact(_axis.Unit), _axis.Log ? "log" : "linear");

    public bool Shows(double value) => double.IsFinite(value) && (!_axis.Log || value > 0);

    /// <summary>The pixel of a value; outside the plot where the value is outside the range.</summary>
    public double Pixel(double value)
    {
        double share = _axis.Log
            ? Math.Log(value / Minimum) / Math.Log(Maximum / Minimum)
            : (value - Minimum) / (Maximum - Minimum);
        return _from + (share * (_to - _from));
    }

    /// <summary>The pixel of a value, moved to the edge of the plot where the value is outside the range.</summary>
    public double ClampedPixel(double value) => Math.Clamp(Pixel(value), Math.Min(_from, _to), Math.Max(_from, _to));

    private List<(double, string)> LinearTicks(int count)
    {
        double rough = (Maximum - Minimum) / _axis.Unit / count;
        double power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        double step = new[] { 1.0, 2, 2.5, 5, 10 }.First(factor => factor * power >= rough * 0.999) * power;
        int decimals = Math.Clamp(
            Enumerable.Range(0, 12).First(d => d == 11 || Math.Abs(Math.Round(step, d) - step) < step * 1e-6), 0, 11);
        var ticks = new List<(double, string)>();
        long first = (long)Math.Ceiling((Minimum / _axis.Unit / step) - 1e-9);
        long last = (long)Math.Floor((Maximum / _axis.Unit / step) + 1e-9);
        for (long i = first; i <= last; i++)
        {
            ticks.Add((i * step * _axis.Unit, (i * step).ToString($"F{decimals}", CultureInfo.InvariantCulture)));
        }

        return ticks;
    }

    private List<(double, string)> LogTicks()
    {
        double[] factors = Maximum / Minimum > 1000 ? [1] : [1, 2, 5];
        var ticks = new List<(double, string)>();
        for (int exponent = (int)Math.Floor(Math.Log10(Minimum)); exponent <= Math.Log10(Maximum); exponent++)
        {
            foreach (double factor in factors)
            {
                double value = factor * Math.Pow(10, exponent);
                if (value >= Minimum * 0.999 && value <= Maximum * 1.001)
                {
                    string text = factors.Length == 1
                        ? ChartAxis.PowerText(exponent)
                        : (value / _axis.Unit).ToString("0.#####", CultureInfo.InvariantCulture);
                    ticks.Add((value, text));
                }
            }
        }

        return ticks;
    }

    private static string Exact(double value) => value.ToString("R", CultureInfo.InvariantCulture);
}
