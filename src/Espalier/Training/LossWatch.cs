namespace Espalier.Training;

/// <summary>Notices a loss that stays far above that of a guess among all tokens with equal chances.</summary>
/// <param name="vocabulary">The tokens.</param>
internal sealed class LossWatch(int vocabulary)
{
    private const int Patience = 100;

    // Nats; random weights begin some tenths above, and the first updates may lift it.
    private const double Margin = 1;

    private int _updates;
    private bool _hasTold;

    /// <summary>The loss of such a guess, nats a token.</summary>
    public double Guess { get; } = Math.Log(vocabulary);

    /// <summary>Looks at the loss of an update.</summary>
    /// <returns>Whether it has now been far too high for long: once.</returns>
    public bool Tells(double loss)
    {
        _updates = loss > Guess + Margin ? _updates + 1 : 0;
        bool tells = _updates == Patience && !_hasTold;
        _hasTold |= tells;
        return tells;
    }

    /// <summary>What to say then.</summary>
    public string Warning => FormattableString.Invariant(
        $"for {Patience} updates the training loss has been above {Guess + Margin:F2}, where a guess among {vocabulary} tokens has {Guess:F2}: lower learning_rate.peak, or lengthen learning_rate.warmup");
}
