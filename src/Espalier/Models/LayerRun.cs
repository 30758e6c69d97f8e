namespace Espalier.Models;

/// <summary>One execution of a stored layer.</summary>
/// <param name="Stored">The stored layer, from 0.</param>
/// <param name="Trains">
/// Whether this execution gives the layer's weights a gradient. Where it does not, none is computed; gradients still pass
/// through to what lies below.
/// </param>
/// <param name="Scale">What each sublayer adds to the residual stream is multiplied by this (PLD, arXiv 2010.13369).</param>
/// <param name="Tokens">The tokens that it sees; null for all. The others pass by unchanged (Random-LTD, arXiv 2211.11586).</param>
/// <param name="Mask">The units that count in it; null for all (MSG, arXiv 2305.02869).</param>
public sealed record LayerRun(
    int Stored, bool Trains = true, double Scale = 1, TokenSubset? Tokens = null, WidthMask? Mask = null);
