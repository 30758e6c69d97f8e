namespace Espalier.Data;

/// <summary>
/// Masked language modelling (Devlin et al. 2019, section 3.1) without next-sentence prediction: documents lie one after
/// the other with a [SEP] between them, and are cut into windows, each between [CLS] and [SEP]. Anew for every window, 15 %
/// of its tokens are to be predicted: 80 % of these are replaced by [MASK], 10 % by any other token, 10 % left as they are.
/// Special tokens are neither predicted nor drawn.
/// </summary>
public sealed class MaskedToken : IObjective
{
    /// <summary>The tokens around a window.</summary>
    internal const int FrameTokens = 2;

    private const double Predicted = 0.15, Masked = 0.8, Replaced = 0.1;

    private readonly int _cls, _sep, _mask;
    private readonly bool[] _isSpecial;
    private readonly int[] _ordinary;

    /// <summary>The objective for a tokenizer's text.</summary>
    /// <exception cref="UserErrorException">The tokenizer lacks [CLS], [SEP] or [MASK].</exception>
    public MaskedToken(Tokenizer tokenizer)
    {
        (_cls, _sep, _mask) = (
            Need(tokenizer.Cls, "[CLS]"), Need(tokenizer.Sep, "[SEP]"), Need(tokenizer.Mask, "[MASK]"));
        _isSpecial = [.. Enumerable.Range(0, tokenizer.VocabularySize).Select(tokenizer.IsSpecial)];
        _ordinary = [.. Enumerable.Range(0, tokenizer.VocabularySize).Where(id => !_isSpecial[id])];

        static int Need(int? id, string token) => id ?? throw new UserErrorException(
            $"Masked language modelling takes a tokenizer with {token}, and this one has none.",
            "Prepare the data with a BERT tokenizer: `espalier data prepare ... --wordpiece 8192`, or --tokenizer vocab.txt.");
    }

    /// <inheritdoc/>
    public double PredictedShare(int contextLength) => ShareOf(contextLength);

    /// <inheritdoc cref="PredictedShare"/>
    internal static double ShareOf(int contextLength) => Predicted * (contextLength - FrameTokens) / contextLength;

    /// <inheritdoc/>
    public ITrainingBatches Training(TokenShard shard, int batchSize, int contextLength, int microBatches, ulong seed) =>
        new MaskedTrainingBatches(this, shard, batchSize, contextLength, microBatches, seed);

    /// <inheritdoc/>
    public IHeldOutBatches HeldOut(TokenShard shard, int batchSize, int contextLength, long? tokenLimit, int? stride) =>
        new MaskedHeldOutBatches(this, shard, batchSize, contextLength, tokenLimit, stride);

    /// <summary>A batch of windows.</summary>
    /// <param name="windows">B windows of equally many tokens.</param>
    /// <param name="known">Of each window, how many tokens at its beginning are context only.</param>
    /// <param name="random">The draws for each window.</param>
    internal TokenBatch Mask(IReadOnlyList<long[]> windows, Func<int, int> known, Func<int, CounterRandom> random)
    {
        int length = windows[0].Length + FrameTokens;
        var inputIds = new long[windows.Count * length];
        List<long> targets = [], positions = [];
        (int Row, int Place, double Draw) nearest = (-1, 0, double.PositiveInfinity);
        for (int row = 0; row < windows.Count; row++)
        {
            long[] window = windows[row];
            Span<long> sequence = inputIds.AsSpan(row * length, length);
            sequence[0] = _cls;
            window.CopyTo(sequence[1..]);
            sequence[^1] = _sep;
            CounterRandom draws = random(row);
            for (int place = known(row); place < window.Length; place++)
            {
                if (_isSpecial[window[place]])
                {
                    continue;
                }

                draws.Block((uint)place, out uint isPredicted, out uint treatment, out uint token, out _);
                double draw = isPredicted / 4294967296.0;
                if (draw < Predicted)
                {
                    Predict(row, place, sequence, treatment, token);
                }
                else if (draw < nearest.Draw)
                {
                    nearest = (row, place, draw);
                }
            }
        }

        // A loss of no targets is no number: of a very small batch, the token that was nearest to being drawn is masked.
        if (targets.Count == 0 && nearest.Row >= 0)
        {
            Predict(nearest.Row, nearest.Place, inputIds.AsSpan(nearest.Row * length, length), 0, 0);
        }

        return new TokenBatch(windows.Count, length, inputIds, [.. targets], [.. positions]);

        void Predict(int row, int place, Span<long> sequence, uint treatment, uint token)
        {
            targets.Add(windows[row][place]);
            positions.Add((row * length) + place + 1);
            double kind = treatment / 4294967296.0;
            if (kind < Masked)
            {
                sequence[place + 1] = _mask;
            }
            else if (kind < Masked + Replaced)
            {
                sequence[place + 1] = _ordinary[(int)(((ulong)token * (ulong)_ordinary.Length) >> 32)];
            }
        }
    }
}
