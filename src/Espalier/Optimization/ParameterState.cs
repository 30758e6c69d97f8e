using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Optimization;

/// <summary>
/// What an optimizer remembers of one parameter. Which slots there are is the optimizer's own business: growth and
/// checkpoints go by their names and by what they follow.
/// </summary>
/// <param name="slots">By name.</param>
/// <param name="steps">Updates of this parameter since the slots were empty.</param>
public sealed class ParameterState(IReadOnlyDictionary<string, Slot> slots, long steps = 0) : IDisposable
{
    private Tensor? _newElements;

    /// <summary>By name.</summary>
    public IReadOnlyDictionary<string, Slot> Slots { get; } = slots;

    /// <summary>
    /// Updates of this parameter since the slots were empty, for bias corrections. Each parameter counts by itself: one that
    /// joins a run late begins at 0, and one without a gradient stands still.
    /// </summary>
    public long Steps { get; set; } = steps;

    /// <summary>The elements that the last growth has added; null where there are none.</summary>
    public NewUnits? New { get; init; }

    /// <summary>What an update rule remembers of a parameter before its first update: zeros.</summary>
    /// <param name="rule">The update rule.</param>
    /// <param name="parameter">The parameter.</param>
    /// <param name="device">Where it lies.</param>
    public static ParameterState Begin(IOptimizer rule, ParameterSpec parameter, Device device) =>
        new(rule.Slots(parameter).ToDictionary(
            slot => slot.Key, slot => new Slot(Tensor.Zeros(parameter.Shape, device: device), slot.Value)));

    /// <summary>A copy with its own memory.</summary>
    /// <param name="device">Where the copy lies; null for where this lies.</param>
    public ParameterState Copy(Device? device = null) => new(
        Slots.ToDictionary(pair => pair.Key, pair => pair.Value with { Value = pair.Value.Value.Clone(device) }), Steps)
    {
        New = New,
    };

    /// <summary>1 for every element that is new, 0 for the others; shaped like the whole parameter.</summary>
    internal Tensor NewElements(Parameter parameter)
    {
        using IDisposable _ = TensorScope.Suspend();
        return _newElements ??= New!.Elements(parameter);
    }

    /// <summary>Frees the tensors.</summary>
    public void Dispose()
    {
        foreach (Slot slot in Slots.Values)
        {
            slot.Value.Dispose();
        }

        _newElements?.Dispose();
    }
}
