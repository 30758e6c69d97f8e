namespace Espalier.Generation;

/// <summary>How the next token is chosen from a model's logits.</summary>
/// <param name="Temperature">Divides the logits; below 1 the likely becomes likelier, and 0 always takes the likeliest.</param>
/// <param name="TopK">Only this many of the likeliest tokens are drawn from; null for all (Fan et al. 2018).</param>
/// <param name="TopP">
/// Only the smallest set of likeliest tokens that reaches this probability is drawn from (nucleus sampling, Holtzman et
/// al. 2020); 1 for all. Applied after <paramref name="Temperature"/> and <paramref name="TopK"/>.
/// </param>
public sealed record TokenSampler(double Temperature = 1, int? TopK = null, double TopP = 1)
{
    /// <summary>Draws a token.</summary>
    /// <param name="logits">The score of every token.</param>
    /// <param name="uniform">A number in [0, 1): all the randomness there is.</param>
    /// <returns>The token.</returns>
    public int Draw(ReadOnlySpan<float> logits, double uniform)
    {
        if (Temperature == 0)
        {
            return Likeliest(logits);
        }

        (int[] tokens, double[] weights) = Candidates(logits);
        double rest = uniform * weights.Sum();
        for (int i = 0; i < tokens.Length; i++)
        {
            rest -= weights[i];
            if (rest < 0)
            {
                return tokens[i];
            }
        }

        // Rounding has left a sliver at the end.
        return tokens[^1];
    }

    /// <summary>The tokens that may be drawn, the likeliest first, with their weights; of equal ones the lower first.</summary>
    internal (int[] Tokens, double[] Weights) Candidates(ReadOnlySpan<float> logits)
    {
        double best = logits[Likeliest(logits)];
        var tokens = new int[logits.Length];
        var weights = new double[logits.Length];
        for (int i = 0; i < tokens.Length; i++)
        {
            tokens[i] = i;
            weights[i] = Math.Exp((logits[i] - best) / Temperature);
        }

        if (TopK is null && TopP >= 1)
        {
            return (tokens, weights);
        }

        double[] byToken = weights;
        Array.Sort(tokens, (a, b) => byToken[a] != byToken[b] ? byToken[b].CompareTo(byToken[a]) : a.CompareTo(b));
        int count = Math.Min(TopK ?? int.MaxValue, tokens.Length);
        weights = [.. tokens.Take(count).Select(token => byToken[token])];
        double enough = TopP * weights.Sum(), sum = 0;
        for (int i = 0; i < weights.Length; i++)
        {
            sum += weights[i];
            if (sum >= enough)
            {
                count = i + 1;
                break;
            }
        }

        return (tokens[..count], weights[..count]);
    }

    private static int Likeliest(ReadOnlySpan<float> logits)
    {
        int best = 0;
        for (int i = 1; i < logits.Length; i++)
        {
            best = logits[i] > logits[best] ? i : best;
        }

        return best;
    }
}
