namespace Espalier.Torch;

/// <summary>
/// Frees every tensor that was made while it was the innermost scope of its thread, when it is disposed. A training
/// step runs inside one, so that memory never waits for the garbage collector.
/// </summary>
public sealed class TensorScope : IDisposable
{
    [ThreadStatic]
    private static TensorScope? t_current;

    private readonly TensorScope? _outer = t_current;
    private readonly List<Tensor> _tensors = [];

    /// <summary>Opens a scope inside the current one.</summary>
    public TensorScope() => t_current = this;

    internal static void Add(Tensor tensor) => t_current?._tensors.Add(tensor);

    /// <summary>Takes a tensor out of this scope into the one around it; it belongs to its holder where there is none.</summary>
    /// <returns>The same tensor.</returns>
    public Tensor Keep(Tensor tensor)
    {
        // The tensors worth keeping are mostly the newest.
        int index = _tensors.LastIndexOf(tensor);
        if (index >= 0)
        {
            _tensors.RemoveAt(index);
            _outer?._tensors.Add(tensor);
        }

        return tensor;
    }

    /// <summary>Opens a scope whose tensors outlive it: each belongs to its holder.</summary>
    /// <remarks>For state that is made in the middle of a step, such as the parameters of a grown model.</remarks>
    public static IDisposable Suspend() => new Suspension();

    /// <inheritdoc/>
    public void Dispose()
    {
        if (t_current == this)
        {
            t_current = _outer;
        }

        foreach (Tensor tensor in _tensors)
        {
            tensor.Dispose();
        }

        _tensors.Clear();
    }

    private sealed class Suspension : IDisposable
    {
        private readonly TensorScope? _suspended = t_current;

        public Suspension() => t_current = null;

        public void Dispose() => t_current = _suspended;
    }
}
