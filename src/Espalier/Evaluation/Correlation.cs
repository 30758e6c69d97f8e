namespace Espalier.Evaluation;

/// <summary>How well two series of numbers go together; NaN, as scipy has it, where one of them is constant.</summary>
public static class Correlation
{
    /// <summary>Pearson's coefficient: how nearly they lie on a rising line, in [-1, 1].</summary>
    /// <param name="x">One series.</param>
    /// <param name="y">The other, as long.</param>
    public static double Pearson(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Length, x.Length);
        if (IsConstant(x) || IsConstant(y))
        {
            return double.NaN;
        }

        double meanX = Mean(x), meanY = Mean(y), scaleX = Scale(x, meanX), scaleY = Scale(y, meanY);
        double xx = 0, yy = 0, xy = 0;
        for (int i = 0; i < x.Length; i++)
        {
            double dx = (x[i] - meanX) / scaleX, dy = (y[i] - meanY) / scaleY;
            xx += dx * dx;
            yy += dy * dy;
            xy += dx * dy;
        }

        return Math.Clamp(xy / (Math.Sqrt(xx) * Math.Sqrt(yy)), -1, 1);
    }

    /// <summary>Spearman's coefficient: Pearson's of the ranks, equal numbers sharing the mean of theirs.</summary>
    /// <param name="x">One series.</param>
    /// <param name="y">The other, as long.</param>
    public static double Spearman(ReadOnlySpan<double> x, ReadOnlySpan<double> y) => Pearson(Ranks(x), Ranks(y));

    /// <summary>The ranks from 1; equal numbers share the mean of theirs.</summary>
    internal static double[] Ranks(ReadOnlySpan<double> values)
    {
        double[] sorted = values.ToArray();
        int[] order = [.. Enumerable.Range(0, values.Length)];
        Array.Sort(sorted, order);
        var ranks = new double[values.Length];
        for (int start = 0, end; start < sorted.Length; start = end)
        {
            end = start + 1;
            while (end < sorted.Length && sorted[end].Equals(sorted[start]))
            {
                end++;
            }

            // Places start + 1 to end.
            foreach (int place in order.AsSpan(start, end - start))
            {
                ranks[place] = (start + 1 + end) / 2.0;
            }
        }

        return ranks;
    }

    private static bool IsConstant(ReadOnlySpan<double> values) =>
        values.Length == 0 || !values.ContainsAnyExcept(values[0]);

    private static double Mean(ReadOnlySpan<double> values)
    {
        double sum = 0;
        foreach (double value in values)
        {
            sum += value / values.Length;
        }

        return sum;
    }

    /// <summary>The largest distance from the mean: divided by it, no square overflows or vanishes.</summary>
    private static double Scale(ReadOnlySpan<double> values, double mean)
    {
        double scale = 0;
        foreach (double value in values)
        {
            scale = Math.Max(scale, Math.Abs(value - mean));
        }

        return scale;
    }
}
