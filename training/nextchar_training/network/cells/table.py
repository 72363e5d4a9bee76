"""Lists the cells: one row per cell, by its name in a model file's card."""

from nextchar.model.card import Cell
from nextchar_training.network.cells.cell import RecurrentCell
from nextchar_training.network.cells.gru import Gru, ResetFirstGru
from nextchar_training.network.cells.lstm import CoupledLstm, Lstm
from nextchar_training.network.cells.rnn import ReluRnn, TanhRnn

CELLS: dict[Cell, RecurrentCell] = {
    "rnn_tanh": TanhRnn(),
    "rnn_relu": ReluRnn(),
    "lstm": Lstm(),
    "lstm_coupled": CoupledLstm(),
    "gru": Gru(),
    "gru_reset_first": ResetFirstGru(),
}
