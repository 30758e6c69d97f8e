namespace Espalier.Growth;

/// <summary>What becomes of what the optimizer remembers when the model grows.</summary>
public enum MomentPolicy
{
    /// <summary>What was there keeps it, in its place; what is new starts empty, its step count at 0 (released Apollo).</summary>
    Keep,

    /// <summary>It follows the weights into all that is made of them, scaled as their gradients are.</summary>
    Map,

    /// <summary>All start empty again.</summary>
    Reset,
}
