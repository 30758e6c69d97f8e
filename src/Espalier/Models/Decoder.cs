using Espalier.Torch;

namespace Espalier.Models;

/// <summary>
/// Reads sequences piece by piece and scores what follows. Each execution of a layer keeps its keys and values, so that a further
/// token costs its own work alone.
/// </summary>
internal sealed class Decoder : IDisposable
{
    private readonly Model _model;
    private readonly ForwardPlan _plan;
    private readonly Compute _compute;
    private readonly KeyValues[]? _kept;
    private readonly LoweredWeights? _lowered;

    /// <summary>A decoder that has read nothing.</summary>
    public Decoder(Model model, ForwardPlan plan, Compute compute)
    {
        (_model, _plan, _compute) = (model, plan, compute);
        _lowered = compute.Bf16 ? new LoweredWeights() : null;

        // Which tokens a layer with a subset sees depends on how many there are.
        if (model.Architecture.SeesOnlyThePast && plan.Layers.All(run => run.Tokens is null))
        {
            _kept = [.. plan.Layers.Select(_ => new KeyValues(model.Config.ContextLength))];
        }
    }

    /// <summary>The tokens of each sequence that it has read and keeps.</summary>
    public int Length { get; private set; }

    /// <summary>Whether further tokens follow on those read; else every call reads whole sequences.</summary>
    public bool Remembers => _kept is not null;

    /// <summary>Forgets what it has read.</summary>
    public void Forget()
    {
        Length = 0;
        foreach (KeyValues kept in _kept ?? [])
        {
            kept.Forget();
        }
    }

    /// <summary>The scores of every token after the given ones, which follow on those read before.</summary>
    /// <param name="ids_BT">(B, T): of each of the B sequences at least one token.</param>
    /// <returns>B x V, row by row.</returns>
    public float[] Next(long[,] ids_BT)
    {
        using var noGrad = new NoGrad();
        using var scope = new TensorScope();
        using Autocast? autocast = _compute.LowerProducts();
        (int sequences, int tokens) = (ids_BT.GetLength(0), ids_BT.GetLength(1));
        Tensor ids = Tensor.From<long>([.. ids_BT.Cast<long>()], [sequences, tokens], _compute.Device);
        Tensor hidden_BTC = ForwardPass.HiddenOfNext(_model, ids, _plan, this);
        Tensor logits_B1V = _model.Architecture.Logits(Rest(), hidden_BTC.Narrow(1, tokens - 1, 1));
        Length += Remembers ? tokens : 0;
        return logits_B1V.To(ScalarType.Float32, Device.Cpu).ToArray<float>();
    }

    /// <summary>A layer as it goes on from the tokens read.</summary>
    /// <param name="run">The execution.</param>
    /// <param name="index">Its place in the plan.</param>
    public ModelPart Layer(LayerRun run, int index) =>
        new(_model, run, hasDropout: false) { Past = _kept?[index], FirstPosition = Length, Lowered = _lowered };

    /// <summary>What lies outside of the layers, as it goes on from the tokens read.</summary>
    public ModelPart Rest() => new(_model, _plan, hasDropout: false) { FirstPosition = Length, Lowered = _lowered };

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (KeyValues kept in _kept ?? [])
        {
            kept.Dispose();
        }

        _lowered?.Dispose();
    }
}
